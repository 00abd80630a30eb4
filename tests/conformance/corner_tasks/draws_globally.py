import random

import numpy as np


def process_docs(dataset):
    def shuffle(doc):
        shown = list(doc["choices"])
        random.shuffle(shown)
        if np.random.rand() < 0.5:
            shown.reverse()
        return {"shown": shown, "letter": "ABC"[shown.index(doc["choices"][doc["answer"]])]}

    return dataset.map(shuffle)

import random

import numpy as np

rng = random.Random(42)
numbers = np.random.RandomState(7)


def process_docs(dataset):
    def shuffle(doc):
        shown = list(doc["choices"])
        rng.shuffle(shown)
        if numbers.rand() < 0.5:
            shown.reverse()
        return {"shown": shown, "letter": "ABC"[shown.index(doc["choices"][doc["answer"]])]}

    return dataset.map(shuffle)

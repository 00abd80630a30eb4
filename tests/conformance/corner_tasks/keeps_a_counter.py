SEEN = {"documents": 0}


def process_docs(dataset):
    """A function at the top of a file has a name, by which `datasets` knows it again."""
    return dataset.map(_turned)


def _turned(doc):
    turn = SEEN["documents"] % 3
    SEEN["documents"] += 2
    shown = doc["choices"][turn:] + doc["choices"][:turn]
    return {"shown": shown, "letter": "ABC"[shown.index(doc["choices"][doc["answer"]])]}

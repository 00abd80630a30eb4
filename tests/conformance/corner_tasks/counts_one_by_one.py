SEEN = {"documents": 0}


def process_docs(dataset):
    """What isn't done by `map` is done each time."""
    return type(dataset).from_list([{**doc, **_turned(doc)} for doc in dataset])


def _turned(doc):
    turn = SEEN["documents"] % 3
    SEEN["documents"] += 2
    shown = doc["choices"][turn:] + doc["choices"][:turn]
    return {"shown": shown, "letter": "ABC"[shown.index(doc["choices"][doc["answer"]])]}

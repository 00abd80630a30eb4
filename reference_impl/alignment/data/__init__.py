"""Data of alignment, from files to token ids in batches.

    data = read("pairs.jsonl", Preference)                                   # typed rows, and what was left out
    pairs = encode_preferences(data.rows, OwnText(tokenizer), Limits(512))   # token ids
    order = Order(len(pairs.items), batch=8, seed=0)                         # which pairs at which step
    [pairs.items[place] for place in order.places(step=0)]

`formats/` has a file per format, `reading.py` recognizes one by its columns, `hub.py` and `splits.py` find the files.
`own_text.py` and `transformers_text.py` make token ids with a tokenizer of ours or of `transformers` and its chat
template, `encoding.py` keeps to the limits. `excluded.py` counts what is left out. `microworld.py` makes data that
need no file, and rewards that need no model.
"""

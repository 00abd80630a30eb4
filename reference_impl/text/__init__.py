"""Text for a GPT: a tokenizer, documents from local files, token streams and their memory-mapped shards.

`tokenizer.py` turns text into token ids and back, `files.py` reads documents, `packing.py` joins
documents to the one stream of tokens that a model is trained on, `shards.py` keeps a stream that is too
big for memory, and `microworld/` is the corpus that every machine can make for itself.
Nothing here needs torch.
"""

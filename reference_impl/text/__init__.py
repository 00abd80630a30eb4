"""Text for a GPT: a tokenizer, documents from local files, token streams and their memory-mapped shards.

`tokenizer.py` turns text into token ids and back, `files.py` reads documents, `packing.py` joins
documents to the one stream of tokens that a model is trained on, `shards.py` keeps a stream that is too
big for memory, `microworld/` and `assistant/` are the corpora that every machine can make for itself.
`dialog.py` is a conversation, `chat_template.py` how our GPT reads one.
Nothing here needs torch.
"""

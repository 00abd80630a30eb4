"""The GPT itself: its settings, its shapes, its counts, and the same weights in `transformers`' layout.

`gpt.py` is the whole model in one file; start there.
"""

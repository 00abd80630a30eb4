"""Linear regression in context: pairs (x, w·x) of a w that no weight knows, then an x whose y is asked for.

What a forward pass does with the pairs can be held against algorithms whose results are known: a gradient step, more
of them, least squares (Garg et al. 2022, arXiv 2208.01066; Akyürek et al. 2022, arXiv 2211.15661; von Oswald et al.
2023, arXiv 2212.07677; Ahn et al. 2023, arXiv 2306.00297).

`task.py` draws sequences, `algorithms.py` solves them, `linear_attention.py` and `gpt_reader.py` are models that read
them, `training.py` trains one, `comparison.py` says what it looks like.
"""

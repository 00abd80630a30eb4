"""A reference GPT: its model, texts and tokenizer, training and inference. Knows nothing of the harness."""

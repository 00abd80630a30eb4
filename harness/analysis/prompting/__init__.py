"""What prompts do: few-shot examples and chain of thought, over sizes."""

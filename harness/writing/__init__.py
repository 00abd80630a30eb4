"""What people ask a model to write: a text that goes on from a prompt, a conversation.

settings.py: how it is decoded; writer.py: one answer as it comes, with its speed; conversation.py: turns, what of them
still fits, and what need not be read again.
"""

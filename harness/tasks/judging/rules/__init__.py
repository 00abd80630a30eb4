"""Rules that judge a written answer by itself: does it refuse, does it do what was asked of its form, is it rude.

Each is a pure function of the text. How often the rule for refusals errs is measured on answers labeled by hand.
"""

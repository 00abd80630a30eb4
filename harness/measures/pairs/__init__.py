"""Measures of pairs of responses: does a model, or a reward model, prefer the ones that people preferred?"""

"""Composed scenes, made-up knowledge and the questions and traces that training and evaluation use."""

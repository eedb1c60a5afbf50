"""Trials of the live loop: commands that measure what it promises (`python -m pixsearch.apps.trials.NAME`)."""

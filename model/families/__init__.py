"""Vision-language models from transformers as parts of the one model class: a file a family."""

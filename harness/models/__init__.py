"""What can be measured: the `LanguageModel` contract, the adapters, a file each, and how to open a model."""

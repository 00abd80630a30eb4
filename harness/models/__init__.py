"""What can be measured: the `LanguageModel` contract, one adapter per kind of model, and how to open one."""

"""Items of documents become numbers of tasks and groups, with intervals."""

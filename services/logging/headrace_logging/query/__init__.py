"""The query language of the log: text → tree → answer. Pure; stores turn the tree into what they search by."""

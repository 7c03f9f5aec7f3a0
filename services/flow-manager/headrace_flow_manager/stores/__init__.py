"""Where the nouns are kept: one SQLite adapter per port."""

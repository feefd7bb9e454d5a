"""What we know: articles, and the search that finds the one that answers.

The search half stands on its own: `text` analyses, `index` keeps the Whoosh index on disk, `snapshot` is that index in memory, `ranking`
orders, `engine` is what pages, forms and the API ask. It learns what the articles are from a `documents.Source`.
"""

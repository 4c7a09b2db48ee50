"""Figures of an atlas: the map, similarities, the dendrogram, a ranking with its intervals."""

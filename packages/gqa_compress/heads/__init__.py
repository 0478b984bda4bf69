"""Attention heads: views of their projections, rotary pairs, similarity, grouping, alignment and merging."""

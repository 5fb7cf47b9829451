"""What only turns values into values: indexes, embedders, rerankers, generators, guards."""

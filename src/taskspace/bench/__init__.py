"""The harness: measured transfers, and how well each way of ranking foretells them."""

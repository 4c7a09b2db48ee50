"""Prompts: choosing among written ones, and tuning, comparing and adding soft ones."""

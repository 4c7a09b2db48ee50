"""Tuning: many small trainable parts on one frozen backbone, in the same batches."""

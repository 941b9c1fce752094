"""What people read: the report of an evaluation, the model card, and their pictures."""

"""Sound of somebody who speaks → what the mouth does."""

"""Who calls, and which methods he may call at all. What a role may see of one object, the actions decide."""

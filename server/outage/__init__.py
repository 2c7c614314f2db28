"""Manual mode: sealed sheets, waves worked by hand, and what was handed out from them."""

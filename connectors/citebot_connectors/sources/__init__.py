"""Knowledge sources."""

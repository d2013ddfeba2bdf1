"""The lock's protocol as a model, searched by spin; see docs/explanation/model.md."""

"""Schema of a graph: model, introspection, statistics and snapshots."""

from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple

__all__ = ["GraphSchema", "NodeLabel", "Property", "RelationshipType", "Triple"]

"""What a graph consists of: labels, relationship types, properties and which label each type joins."""

from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple

__all__ = ["GraphSchema", "NodeLabel", "Property", "RelationshipType", "Triple"]

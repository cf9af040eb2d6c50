"""The kinds of unit, one file a family; what only multiplies belongs to `model.rbm`."""

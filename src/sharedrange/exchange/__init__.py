"""Doors: how deliveries in the formats that partners already use become typed tables."""

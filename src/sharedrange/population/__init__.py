"""How many are there, and are they becoming more?"""

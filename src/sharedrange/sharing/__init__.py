"""What may leave a node, for whom, how coarse, how late, and what would somebody learn who tried?"""

"""Door `camera-folders`: a card or a tree of photos and videos becomes a survey with an effort table."""

from sharedrange.exchange.photos.bursts import bursts
from sharedrange.exchange.photos.reading import MEDIA_SUFFIXES, read
from sharedrange.exchange.photos.summary import Station, Summary, understood, write_templates

__all__ = ["MEDIA_SUFFIXES", "Station", "Summary", "bursts", "read", "understood", "write_templates"]

"""The bus: ordered, durable topics between services."""

from services.core.bus.memory import MemoryBus
from services.core.bus.port import Bus, BusUnavailable, Consumer, Delivery, Record

__all__ = ["Bus", "BusUnavailable", "Consumer", "Delivery", "MemoryBus", "Record"]

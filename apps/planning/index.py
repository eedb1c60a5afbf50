"""Memory, shards and build time of a large region index: counted from the vectors and the graph's degree."""

import math
from dataclasses import dataclass

GB = 1e9
LINK_BYTES = LABEL_BYTES = 4  # a neighbour; hnswlib's and Milvus's labels take twice as much


@dataclass(frozen=True)
class Graph:
    """An HNSW graph over vectors of some dimensions. value_bytes : 4 for fp32, 1 for int8 (SQ8)."""

    vectors: int
    dimensions: int = 256
    value_bytes: int = 4
    links: int = 16  # M

    @property
    def vector_bytes(self) -> float:
        """Of one vector with its links: 2 M on the lowest level, M on each of the 1 / (M - 1) levels above."""
        lowest = self.dimensions * self.value_bytes + LINK_BYTES * (2 * self.links + 1) + 2 * LABEL_BYTES
        return lowest + LINK_BYTES * (self.links + 1) / (self.links - 1) + 8  # and a pointer to them

    @property
    def total_bytes(self) -> float:
        """Of the whole graph."""
        return self.vectors * self.vector_bytes


@dataclass(frozen=True)
class Cluster:
    """A Milvus cluster. fill : share of a query node's memory that segments may take."""

    node_gb: float = 256.0
    fill: float = 0.7
    segment_gb: float = 4.0
    replicas: int = 2
    build_cores: int = 256
    node_price: tuple[float, float] = (1.5, 2.5)  # US dollars an hour, 32 cores and 256 GB


@dataclass(frozen=True)
class DiskGraph:
    """DiskANN: product codes in memory, full vectors and `degree` neighbours on SSD in sectors of 4 KiB."""

    vectors: int
    dimensions: int = 256
    code_bytes: int = 64
    degree: int = 56

    @property
    def memory_gb(self) -> float:
        """Of the codes."""
        return self.vectors * self.code_bytes / GB

    @property
    def disk_gb(self) -> float:
        """Of nodes, as many as fit into a sector."""
        node = self.dimensions * 4 + 4 * (self.degree + 1)
        return self.vectors * 4096 / max(1, 4096 // node) / GB


@dataclass(frozen=True)
class IndexPlan:
    """What an index takes."""

    memory_gb: float  # of one replica
    segments: int
    nodes: int  # of all replicas
    build_hours: float
    price_a_month: tuple[float, float]


def plan_index(graph: Graph, cluster: Cluster, seconds_a_vector: float) -> IndexPlan:
    """seconds_a_vector : one core's, for a graph of a segment's size."""
    gigabytes = graph.total_bytes / GB
    nodes = math.ceil(gigabytes / (cluster.node_gb * cluster.fill)) * cluster.replicas
    hours = graph.vectors * seconds_a_vector / cluster.build_cores / 3600
    low, high = (nodes * price * 24 * 30 for price in cluster.node_price)
    return IndexPlan(gigabytes, math.ceil(gigabytes / cluster.segment_gb), nodes, hours, (low, high))


def seconds_a_vector(measured: float, at: int, vectors: int) -> float:
    """What adding a vector takes on the way to a graph of `vectors`, from what it took on the way to one of `at`.

    A search through the graph visits a number of nodes that grows with the logarithm of its size.
    """
    return measured * math.log(vectors) / math.log(at)

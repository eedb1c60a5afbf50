"""Pictures of 3D models from any side, in any light, with exact outlines; drawn off screen by VTK.

trimesh reads the files, since VTK's own reader of Wavefront files stops at some of them.

Mesa draws in software, so that every machine gives the same pixels; its library is in `apt.txt`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkLight,
    vtkPolyDataMapper,
    vtkRenderer,
    vtkTexture,
    vtkWindowToImageFilter,
)
from vtkmodules.vtkRenderingOpenGL2 import vtkOSOpenGLRenderWindow

from pixsearch.contract.faults import Fault

SAMPLES = 8  # a pixel, against jagged edges
AMBIENT, DIFFUSE = 0.3, 0.7  # every material's; the files' own disagree too much
MAX_TEXTURE_SIDE = 512  # pixels
FIELD_OF_VIEW = 30.0  # degrees


@dataclass(frozen=True)
class View:
    """From where a model is seen, in degrees.

    azimuth   : around it, 0 from the front, counter-clockwise from above
    elevation : above its ground, -90..90
    """

    azimuth: float
    elevation: float

    @property
    def direction(self) -> NDArray[np.float64]:
        """Unit vector from the model to the camera, (3,); x right, y up, z towards the front."""
        azimuth, elevation = np.deg2rad(self.azimuth), np.deg2rad(self.elevation)
        return np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])

    def angle(self, other: "View") -> float:
        """Degrees between two directions of view, 0..180."""
        return float(np.rad2deg(np.arccos(np.clip(self.direction @ other.direction, -1, 1))))


@dataclass(frozen=True)
class Light:
    """A key light, and a fill light from the other side.

    azimuth, elevation : of the key light from the camera's line of sight, in degrees
    key, fill          : intensities, about 0..1.5
    """

    azimuth: float = -35.0
    elevation: float = 40.0
    key: float = 1.1
    fill: float = 0.4


class Renderer:
    """Draws one model at a time. One process holds one: GL contexts do not cross a fork."""

    def __init__(self, side: int) -> None:
        """side : height and width of the pictures in pixels."""
        self._side, self._scene = side, vtkRenderer()
        self._window = vtkOSOpenGLRenderWindow()
        self._window.SetSize(side, side)
        self._window.SetAlphaBitPlanes(True)
        self._window.SetMultiSamples(SAMPLES)

    def open(self, model: Path) -> None:
        """Load a Wavefront OBJ file with its materials. Raises Fault when it holds nothing to draw."""
        self._window.RemoveRenderer(self._scene)
        self._scene = vtkRenderer()
        self._scene.SetBackgroundAlpha(0.0)
        self._window.AddRenderer(self._scene)
        for part in trimesh.load_scene(model, process=False).geometry.values():
            if isinstance(part, trimesh.Trimesh) and len(part.faces):
                self._scene.AddActor(_actor(part))
        if not self._scene.GetActors().GetNumberOfItems():
            raise Fault(f"3D model {model.name}", expected="a surface", actual="nothing to draw",
                        remedy="remove it from the folder, or make the data again")

    def draw(self, view: View, light: Light) -> NDArray[np.uint8]:
        """The open model: straight-alpha RGBA, shape (side, side, 4); alpha is how much of a pixel it covers."""
        camera = self._scene.GetActiveCamera()
        centre, radius = self._bounds()
        distance = radius / np.sin(np.deg2rad(FIELD_OF_VIEW / 2))
        camera.SetViewAngle(FIELD_OF_VIEW)
        camera.SetFocalPoint(*centre)
        camera.SetPosition(*(centre + distance * view.direction))
        camera.SetViewUp(0, 1, 0)
        self._scene.ResetCameraClippingRange()
        self._illuminate(light)
        self._window.Render()
        reader = vtkWindowToImageFilter()
        reader.SetInput(self._window)
        reader.SetInputBufferTypeToRGBA()
        reader.ReadFrontBufferOff()
        reader.Update()
        pixels = vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars())
        return _straight(pixels.reshape(self._side, self._side, 4)[::-1])

    def _bounds(self) -> tuple[NDArray[np.float64], float]:
        low, high = np.array(self._scene.ComputeVisiblePropBounds()).reshape(3, 2).T
        return (low + high) / 2, float(np.linalg.norm(high - low)) / 2

    def _illuminate(self, light: Light) -> None:
        self._scene.RemoveAllLights()
        for azimuth, elevation, intensity in ((light.azimuth, light.elevation, light.key),
                                              (-light.azimuth, 10.0, light.fill)):
            lamp = vtkLight()
            lamp.SetLightTypeToCameraLight()
            direction = View(azimuth, elevation).direction
            lamp.SetPosition(*direction)
            lamp.SetFocalPoint(0, 0, 0)
            lamp.SetIntensity(intensity)
            self._scene.AddLight(lamp)


def _actor(part: trimesh.Trimesh) -> vtkActor:
    """A part of a model, all of one material."""
    surface = vtkPolyData()
    points = vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(part.vertices, np.float32), deep=True))
    surface.SetPoints(points)
    triangles = vtkCellArray()
    starts = np.arange(0, 3 * len(part.faces) + 1, 3, dtype=np.int64)
    triangles.SetData(numpy_to_vtkIdTypeArray(starts, deep=True),
                      numpy_to_vtkIdTypeArray(np.ascontiguousarray(part.faces, np.int64).ravel(), deep=True))
    surface.SetPolys(triangles)
    surface.GetPointData().SetNormals(numpy_to_vtk(np.ascontiguousarray(part.vertex_normals, np.float32), deep=True))
    actor, mapper = vtkActor(), vtkPolyDataMapper()
    material = getattr(part.visual, "material", None)
    if material is not None:
        actor.GetProperty().SetColor(*(material.main_color[:3] / 255.0))
        actor.GetProperty().SetOpacity(_opacity(material.kwargs))
    picture, corners = getattr(material, "image", None), getattr(part.visual, "uv", None)
    if picture is not None and corners is not None:
        surface.GetPointData().SetTCoords(numpy_to_vtk(np.ascontiguousarray(corners, np.float32), deep=True))
        actor.SetTexture(_texture(picture))
        actor.GetProperty().SetColor(1, 1, 1)
    mapper.SetInputData(surface)
    actor.SetMapper(mapper)
    actor.GetProperty().SetAmbient(AMBIENT)
    actor.GetProperty().SetDiffuse(DIFFUSE)
    return actor


def _opacity(material: Mapping[str, Any]) -> float:
    """1 where the file says nothing, or 0 as some files say of what is plainly there."""
    opacity = float(np.ravel(material.get("d", 1.0))[0])
    return opacity if 0 < opacity <= 1 else 1.0


def _texture(picture: Image.Image) -> vtkTexture:
    picture.thumbnail((MAX_TEXTURE_SIDE, MAX_TEXTURE_SIDE))
    pixels = np.ascontiguousarray(np.asarray(picture.convert("RGBA"))[::-1])
    image = vtkImageData()
    image.SetDimensions(pixels.shape[1], pixels.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(pixels.reshape(-1, 4), deep=True))
    texture = vtkTexture()
    texture.SetInputData(image)
    texture.InterpolateOn()
    texture.RepeatOn()  # and no mipmaps: with them and many samples Mesa takes 40 s for a tree of leaves instead of 2 s
    return texture


def _straight(premultiplied: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colours of edge pixels without the black of what is behind them."""
    alpha = premultiplied[..., 3:].astype(np.float32)
    colour = premultiplied[..., :3] * (255.0 / np.maximum(alpha, 1))
    return np.concatenate([np.clip(colour + 0.5, 0, 255).astype(np.uint8), premultiplied[..., 3:]], axis=-1)

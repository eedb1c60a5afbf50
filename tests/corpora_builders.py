"""Miniatures of published corpora in their published layouts: two or three pictures each, and one that is broken."""

import base64
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cragmm_builders import a_session, write_parquet
from PIL import Image
from pycocotools import mask as run_lengths

HEIGHT, WIDTH = 60, 80
SQUARE = [10, 10, 40, 10, 40, 40, 10, 40]


def content(number: int = 0, kind: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def picture(path: Path, number: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(number))


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_rows(path: Path, rows: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))


def run_length() -> dict:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    mask[30:50, 50:70] = 1
    code = run_lengths.encode(mask)
    return {"size": code["size"], "counts": code["counts"].decode()}


def instances(names: list[str], categories: list[str]) -> dict:
    """COCO's form: on each picture a polygon and a compressed run length; the last picture's are broken."""
    annotations = []
    for image in range(len(names)):
        good = image < len(names) - 1
        annotations += [
            {"id": 10 * image + 1, "image_id": image, "category_id": 1, "iscrowd": 0,
             "segmentation": [SQUARE] if good else [[1, 2, 3]]},
            {"id": 10 * image + 2, "image_id": image, "category_id": 2, "iscrowd": 0,
             "segmentation": run_length() if good else {"size": [9, 9], "counts": [81]}}]
    return {"images": [{"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH}
                       for number, name in enumerate(names)],
            "annotations": annotations,
            "categories": [{"id": number, "name": name} for number, name in enumerate(categories, 1)]}


def refcoco(folder: Path, which: str, refs_file: str) -> None:
    names = [f"COCO_train2014_{number:012}.jpg" for number in range(3)]
    write(folder / which / "instances.json", instances(names, ["cup", "dog"]))
    refs = [{"ref_id": number, "ann_id": 10 * number + 1, "category_id": 1, "image_id": number, "split": "train",
             "file_name": names[number], "sent_ids": [2 * number, 2 * number + 1], "sentences": [
                 {"sent_id": 2 * number, "sent": "the red cup", "raw": "The red cup", "tokens": ["the", "red", "cup"]},
                 {"sent_id": 2 * number + 1, "sent": "left one", "raw": "left one", "tokens": ["left", "one"]}]}
            for number in range(3)]
    (folder / which / refs_file).write_bytes(pickle.dumps(refs, protocol=2))
    for number, name in enumerate(names):
        picture(folder / "images" / "mscoco" / "images" / "train2014" / name, number)


def ade20k(folder: Path) -> None:
    (folder / "objectInfo150.txt").parent.mkdir(parents=True, exist_ok=True)
    (folder / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tVal\tName\n1\t0.16\t1\t2\twall\n"
                                              "2\t0.11\t3\t4\tbuilding, edifice\n")
    _label_maps(folder / "annotations" / "training", folder / "images" / "training", "ADE_train_{:08}", [1, 2])


def cocostuff(folder: Path) -> None:
    (folder / "labels.txt").parent.mkdir(parents=True, exist_ok=True)
    (folder / "labels.txt").write_text("0: unlabeled\n1: person\n92: banner\n")
    _label_maps(folder / "annotations" / "train2017", folder / "train2017", "{:012}", [0, 91])


def _label_maps(labels: Path, images: Path, name: str, classes: list[int]) -> None:
    labels.mkdir(parents=True)
    for number in range(3):
        values = np.full((HEIGHT, WIDTH), 255 if classes[0] == 0 else 0, np.uint8)
        values[:20], values[40:] = classes
        Image.fromarray(values).save(labels / f"{name.format(number)}.png")
        picture(images / f"{name.format(number)}.jpg", number)
    (labels / f"{name.format(2)}.png").write_bytes(b"no PNG")


def paco(folder: Path) -> None:
    names = [f"train2017/{number:012}.jpg" for number in range(3)]
    write(folder / "annotations" / "paco_lvis_v1_train.json", instances(names, ["trash_can", "trash_can:rim"]))
    for number, name in enumerate(names):
        picture(folder / name, number)


def partimagenet(folder: Path) -> None:
    names = [f"n02100735_{number}.JPEG" for number in range(3)]
    write(folder / "annotations" / "train" / "train.json", instances(names, ["Quadruped Head", "Quadruped Tail"]))
    for number, name in enumerate(names):
        picture(folder / "images" / "train" / name, number)


def llava(folder: Path) -> None:
    def talk(number: int, said: str) -> dict:
        return {"id": str(number), "image": f"coco/train2017/{number:012}.jpg", "conversations": [
            {"from": "human", "value": "<image>\nWhat colour is the bus?"}, {"from": "gpt", "value": said},
            {"from": "human", "value": "And the car?"}, {"from": "gpt", "value": "It is white."}]}

    rows = [talk(0, "Red."), talk(1, "It is green. " * 200), {"id": "text", "conversations": []},
            {"id": "bad", "image": "coco/train2017/000000000000.jpg", "conversations": [{"from": "gpt", "value": "?"}]}]
    write(folder / "llava_v1_5_mix665k.json", rows)
    for number in range(2):
        picture(folder / "coco" / "train2017" / f"{number:012}.jpg", number)


def oven(folder: Path) -> None:
    write_rows(folder / "oven_data" / "oven_entity_train.jsonl", [
        {"data_id": f"oven_entity_train_{number:08}", "image_id": f"oven_{number:08}", "question": "what is this bird?",
         "entity_id": "Q25348", "entity_text": "Snowy owl", "data_split": "oven_entity_train"} for number in range(2)
    ] + ["{broken\n"])
    _oven_images(folder)


def _oven_images(folder: Path) -> None:
    picture(folder / "oven_images" / "00" / "oven_00000000.jpg", 0)
    picture(folder / "oven_images" / "oven_00000001.jpg", 1)


def infoseek(folder: Path) -> None:
    ids = [f"infoseek_train_{number:08}" for number in range(3)]
    write_rows(folder / "infoseek_data" / "infoseek_train.jsonl", [
        {"data_id": id, "image_id": f"oven_{number:08}", "question": "Where does this bird breed?",
         "answer": ["Arctic tundra", "tundra"], "answer_eval": ["Arctic tundra"], "data_split": "train"}
        for number, id in enumerate(ids)])
    write_rows(folder / "infoseek_data" / "infoseek_train_withkb.jsonl", [
        {"data_id": id, "entity_id": "Q25348", "entity_text": "Snowy owl"} for id in ids])
    write_rows(folder / "wikipedia" / "Wiki6M_ver_1_0.jsonl", [
        {"wikidata_id": "Q1", "wikipedia_title": "Universe", "wikipedia_summary": "All of space."},
        {"wikidata_id": "Q25348", "wikipedia_title": "Snowy owl", "wikipedia_summary":
         "The snowy owl is a large white owl of the true owl family. It is native to the cold north and breeds "
         "mostly on the Arctic tundra of both continents."}])
    _oven_images(folder)


def textvqa(folder: Path) -> None:
    write(folder / "TextVQA_0.5.1_train.json", {"dataset_type": "train", "data": [
        {"question_id": number, "image_id": f"00{number}a", "question": "what is the brand?",
         "answers": ["nokia"] * 6 + ["Nokia 3310"] * 3 + ["unanswerable"] if number < 2 else ["unanswerable"] * 10}
        for number in range(3)]})
    for number in range(3):
        picture(folder / "train_images" / f"00{number}a.jpg", number)


def okvqa(folder: Path) -> None:
    write(folder / "OpenEnded_mscoco_train2014_questions.json", {"questions": [
        {"image_id": number, "question": "What sport is this?", "question_id": 100 + number} for number in range(3)]})
    write(folder / "mscoco_train2014_annotations.json", {"annotations": [
        {"question_id": 100 + number, "image_id": number, "answers": [
            {"answer_id": 1, "answer": "surfing", "raw_answer": "surf", "answer_confidence": "yes"}] * 2}
        for number in range(2)]})
    for number in range(3):
        picture(folder / "train2014" / f"COCO_train2014_{number:012}.jpg", number)


def aokvqa(folder: Path) -> None:
    write(folder / "aokvqa_v1p0_train.json", [
        {"split": "train", "image_id": number, "question_id": f"q{number}", "question": "What is the man by the bags?",
         "choices": ["skateboarder", "delivery", "driver"], "correct_choice_idx": 1,
         "direct_answers": ["delivery"] * 5 + ["courier"] * 2, "difficult_direct_answer": False,
         "rationales": ["A man stands beside delivery bags.", "He is waiting to deliver."]} for number in range(2)]
          + [{"image_id": "none", "question": "?"}])
    for number in range(2):
        picture(folder / "train2017" / f"{number:012}.jpg", number)


def webqa(folder: Path) -> None:
    def fact(number: int) -> dict:
        return {"image_id": 30000000 + number, "title": f"Tower {number}", "caption": f"Tower {number} at night",
                "url": "https://example.org", "imgUrl": "https://example.org/x.jpg"}

    base = {"split": "train", "Qcate": "color", "topic": "towers", "txt_posFacts": [], "Keywords_A": "red"}
    write(folder / "WebQA_train_val.json", {
        "a": {**base, "Q": '"Which tower is red?"', "A": ['"The first tower is red."'], "img_posFacts": [fact(0)]},
        "b": {**base, "Q": '"Are both lit?"', "A": ['"Yes."'], "img_posFacts": [fact(1), fact(0)]},
        "broken": {**base, "Q": '"Which?"', "A": ['"x"'], "img_posFacts": [fact(7)]},
        "text": {**base, "Q": '"Who?"', "A": ['"x"'], "img_posFacts": [], "txt_posFacts": [{"fact": "x"}]},
        "val": {**base, "split": "val", "Q": '"Who?"', "A": ['"x"'], "img_posFacts": [fact(0)]}})
    lines = [f"{30000000 + number}\t{base64.b64encode(content(number)).decode()}\n" for number in range(2)]
    (folder / "imgs.tsv").write_text("".join(lines))
    (folder / "imgs.lineidx").write_text(f"0\n{len(lines[0])}\n")


def crag_mm(folder: Path) -> None:
    rows = [a_session(number, [("What is it?", "An owl."), ("How old?", "I cannot tell.")]) for number in range(2)]
    write_parquet(folder, [*rows, a_session(2, [("q", "a")], image=None, image_url="https://example.org/a.jpg")])


# by reader's name: what writes it, and the stage of its samples
MINIATURES: dict[str, tuple[Callable[[Path], None], int]] = {
    "refcoco": (lambda folder: refcoco(folder, "refcoco", "refs(unc).p"), 1),
    "refcoco+": (lambda folder: refcoco(folder, "refcoco+", "refs(unc).p"), 1),
    "refcocog": (lambda folder: refcoco(folder, "refcocog", "refs(umd).p"), 1),
    "ade20k": (ade20k, 1), "cocostuff": (cocostuff, 1), "paco": (paco, 1), "partimagenet": (partimagenet, 1),
    "llava": (llava, 1), "oven": (oven, 2), "infoseek": (infoseek, 2), "textvqa": (textvqa, 2), "okvqa": (okvqa, 2),
    "aokvqa": (aokvqa, 2), "webqa": (webqa, 2), "crag-mm": (crag_mm, 2)}

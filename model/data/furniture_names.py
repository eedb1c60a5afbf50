"""What the models of Sweet Home 3D's catalogues are called by people, and of what sort they are.

Looked at one by one: some names are no English ("Hashtray"), some say a brand or a number, some name a set.
"""

# Nouns that people would say, with the catalogues' names for them, in lower case.
_NAMES: dict[str, str] = {
    "laptop": "apple ibook",
    "computer": "apple imac 1998; apple imac 2004",
    "mobile phone": "apple iphone",
    "ottoman": "armchair ottoman",
    "coconut tree": "bended coconut tree",
    "banknote": "bill 10€; bill 20€; bill 50€",
    "pine tree": "blue pine under snow; pine; pine under snow",
    "kettle": "boiler",
    "boot": "bootie",
    "trash can": "bullet trash can",
    "security camera": "cctv",
    "chair": "chair with cushion",
    "car": "chevrolet; ford focus; renault scenic; seat leon; vw new beetle",
    "school desk": "class seat",
    "sofa": "clear sofa; sofa 2 seats; sofa 3 seats",
    "washing machine": "clothes washing machine",
    "sedan": "concept sedan 01; concept sedan 02",
    "sports car": "concept sedan 02 sport",
    "sofa bed": "convertible sofa bz; opened convertible sofa bz",
    "cypress tree": "cypress",
    "tumble dryer": "dryer machine",
    "doorbell": "entry bell ring",
    "door intercom": "entry speech unit",
    "fire extinguisher": "extinguisher",
    "fluorescent light": "fluorescent strip",
    "pile of clothes": "folded clothes",
    "pinball machine": "flipper",
    "forklift": "fork lift",
    "picture frame": "frame chambord; frame hôi an",
    "water heater": "gaz water heater; electric water heater",
    "ashtray": "hashtray",
    "range hood": "hood",
    "exercise bike": "indoor bike",
    "induction cooker": "induction cooker 2 zones; induction cooker 4 zones",
    "kitchen island": "island",
    "bathtub": "island bath; bath",
    "set of kitchen tools": "kitchen tools",
    "letter box": "letters box",
    "bench": "little bank; wood bank",
    "moccasin": "mocassin",
    "music player": "mp3 base; mp3 station",
    "jar": "old jar",
    "convertible": "peugeot 308 cc",
    "place setting": "plate, glass and cutlery; plate, glasses and cutlery",
    "game console": "playstation",
    "deck chair": "pool lounge",
    "pouf": "puff",
    "fan": "rigged fan",
    "shorts": "short",
    "small car": "smart car",
    "table tennis table": "table tennis",
    "teak chair": "teck chair",
    "toilet": "toilets unit",
    "trunk": "trunck",
    "TV": "tv 16:9; tv; wall flat tv",
    "remote control": "tv remote control",
    "TV stand": "tv stand",
    "DVD player": "dvd player",
    "motorbike": "yamaha yzr r6",
    "pair of shoes": "woman shoes",
    "pair of sneakers": "sneakers",
    "pair of slippers": "slippers",
    "yucca plant": "yucca",
    "SUV": "suv",
    "bowl of fruit": "bowl with fruits",
    "bowl of salad": "bowl with salad",
    "party tent": "barnum",
    "acacia tree": "acacia",
    "beech tree": "copper beech",
    "poplar tree": "poplar",
    "maple tree": "japanese maple; sycamore maple",
    "clothes hanger": "wire coathanger",
    "lawn mower": "mower",
    "exercise machine": "fitness tower",
    "weight bench": "abdominal bench",
    "punching bag": "punching ball",
    "woman": "holding female; lying down female; sitting female; female",
    "man": "holding male; lying down male; sitting male; male",
    "boy": "lying down boy; sitting boy",
    "girl": "sitting girl",
    "mannequin": "mannequin female; mannequin male",
}
_NOUN_OF_NAME = {name: noun for noun, names in _NAMES.items() for name in " ".join(names.split()).split("; ")}

# Models that no one would point at, or whose picture is not what their name says.
DROPPED = frozenset(
    {
        "arrow straight ahead",
        "arrow turn right",
        "arrow turn right and ahead",
        "concrete sidewalk",
        "contemporary living room",
        "island extension",
        "lower corner cabinet",
        "pedestrian crossing",
        "rails",
        "socket",
        "tool",
        "upper corner cabinet",
    }
)
DROPPED_BEGINNINGS = ("parking slot", "rounded ", "square ", "wall type", "wall rj45", "wall antenna", "wall d",
                      "wall s", "air conditioning")

# A noun's sort is that of its longest ending in one of these lists, as "coffee table" ends in "table".
_SORTS: dict[str, str] = {
    "furniture": """
        table, desk, chair, armchair, sofa, couch, bed, bookcase, shelves, cabinet, cupboard, wardrobe, stool,
        bench, ottoman, futon, crib, chest, drawers, drawers cabinet, TV stand, hammock, school desk, vanity,
        island, pouf, sofa bed, clothes rack, towel rack, mezzanine bed, seat, pool lounge, table on trestles, table
        with tablecloth, workbench, locker, filing cabinet, high chair, coffee table, weight bench, clothes horse""",
    "vehicle": """
        car, bus, truck, van, sedan, SUV, bike, bicycle, motorbike, scooter, tricycle, convertible, rowboat,
        biplane, forklift, stroller, wheelchair, wheelbarrow, skateboard""",
    "toy": """
        teddy bear, doll, doll house, rocking horse, toy train, wood toy, puzzle, rubik's cube, car model, snowman""",
    "plant": """
        plant, tree, bamboo, cactus, ficus, bush, hedge, yucca plant, spathiphyllum, plant box, flower box, peach
        blossom, christmas tree""",
    "flower": """
        flowers, orchids, tulips, lily""",
    "food": """
        bread, birthday cake, cup cake, french fries, hamburger, hot dog, roasted chicken, steak, sushi tray,
        butter, sugar, bowl of salad, place setting""",
    "fruit": """
        apples, bowl of fruit""",
    "drink": """
        milk, beer glass, cocktail glass""",
    "clothing": """
        cap, hat, dress, glove, jacket, trousers, shorts, skirt, suit, moccasin, pair of shoes, pair of sneakers,
        pair of slippers, boot, helmet, handbag, watch, ring, glasses, sunglasses, pile of clothes, hanging clothes,
        backpack""",
    "musical instrument": """
        piano, electric guitar, xylophone""",
    "sports gear": """
        basketball, soccer ball, racket, bat, pool table, football table, dart game, punching bag, treadmill,
        exercise bike, exercise machine, trampoline, basketball net, football goal, table tennis table""",
    "tool": """
        hammer, saw, drill, screwdriver, pliers, tape measure, grinder, shovel, step ladder, broom, mower, hose
        reel, scissors, kitchen knife, knife, squeezer""",
    "stationery": """
        pencil, ruler, stapler, text marker, penbox, letter tray, book, newspaper, calendar, tape, white board""",
    "animal": """
        bulldog, cat, dog, chicken, horse, rabbit, deer""",
    "person": """
        boy, girl, man, woman""",
    "building": """
        hut, tent, dog house, fountain, swimming pool, chimney, fence, railing, porch column""",
    "device": """
        laptop, computer, printer and scanner, phone, keyboard, joystick, TV, projector, remote control, DVD player,
        game console, radio, stereo, amplifier, speaker, music player, headphones, tablet, camera, screen, smoke
        detector, thermometer, fan, fridge, refrigerator, freezer, oven, microwave, stove, cooker, washing machine,
        tumble dryer, toaster, blender, mixer, coffee machine, coffee maker, coffee brewer, deep fryer, sandwich
        maker, dishwasher, heater, radiator, light, lamp, lantern, spotlight, clock, scale, flashlight, pinball
        machine""",
}
SORT_OF_ENDING = {ending: sort for sort, endings in _SORTS.items() for ending in " ".join(endings.split()).split(", ")}
OTHER_SORT = "household object"


def noun_of(name: str) -> str | None:
    """The English noun for a catalogue's name, None for models that are left out."""
    lower = name.lower()
    if lower in DROPPED or lower.startswith(DROPPED_BEGINNINGS):
        return None
    return _NOUN_OF_NAME.get(lower, lower)


def sort_of(noun: str) -> str:
    """The coarse sort of a noun: "furniture", "vehicle", …"""
    words = noun.split()
    endings = (" ".join(words[at:]) for at in range(len(words)))  # longest first
    return next((SORT_OF_ENDING[ending] for ending in endings if ending in SORT_OF_ENDING), OTHER_SORT)

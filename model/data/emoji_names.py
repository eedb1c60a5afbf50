"""Which emoji are things that a wearer could look at, and what an English speaker calls them.

An entry is a Unicode character name in lower case, or a hexadecimal code sequence where Unicode has no name
for the picture, with " = noun" where the noun differs from that name. Faces, people, gestures, symbols,
flags, weather and scenery are left out: they are no objects with an outline.
"""

EMOJI: dict[str, str] = {
    "animal": """
        rat, mouse, ox, water buffalo, cow, tiger, leopard, rabbit, cat, dragon, crocodile, horse, ram,
        goat, sheep, monkey, dog, pig, boar = wild boar, elephant, snake, turtle, koala, poodle, dromedary
        camel = dromedary, bactrian camel = camel, mouse face = mouse, cow face = cow, tiger face = tiger,
        rabbit face = rabbit, cat face = cat, dragon face = dragon, horse face = horse, monkey face =
        monkey, dog face = dog, pig face = pig, frog face = frog, hamster face = hamster, wolf face = wolf,
        bear face = bear, panda face = panda, chipmunk, lion face = lion, unicorn face = unicorn, bat, fox
        face = fox, deer, gorilla, lizard, rhinoceros, giraffe face = giraffe, zebra face = zebra, hedgehog,
        sauropod = brontosaurus, t-rex = tyrannosaurus, kangaroo, llama, hippopotamus, raccoon, badger,
        mammoth, sloth, otter, orangutan, skunk, beaver, bison, guide dog, 1f408-200d-2b1b = black cat,
        1f415-200d-1f9ba = service dog, 1f43b-200d-2744-fe0f = polar bear, 1face = moose, 1facf = donkey""",
    "bird": """
        rooster, chicken, bird, penguin, baby chick = chick, front-facing baby chick = chick, hatching chick
        = chick, turkey, eagle, duck, owl, peacock, parrot, swan, dodo, flamingo, dove of peace = dove,
        1f426-200d-2b1b = blackbird, 1fabf = goose""",
    "fish": """
        fish, tropical fish, blowfish, shark""",
    "sea animal": """
        whale, spouting whale = whale, dolphin, octopus, spiral shell = seashell, crab, shrimp, squid,
        lobster, oyster, seal, coral, 1fabc = jellyfish""",
    "insect": """
        snail, bug = caterpillar, ant, honeybee, lady beetle = ladybug, butterfly, cricket, mosquito,
        spider, scorpion, fly, worm, beetle, cockroach""",
    "flower": """
        tulip, cherry blossom, rose, hibiscus, sunflower, blossom = daisy, bouquet, wilted flower = flower,
        lotus, 1fabb = hyacinth""",
    "plant": """
        seedling, evergreen tree, deciduous tree, palm tree, cactus, ear of rice, herb, four leaf clover,
        maple leaf, mushroom, potted plant, shamrock, christmas tree""",
    "fruit": """
        grapes, melon, watermelon, tangerine, lemon, banana, pineapple, red apple, green apple, pear, peach,
        cherries, strawberry, avocado, kiwifruit, coconut, mango, blueberries, olive""",
    "vegetable": """
        tomato, aubergine = eggplant, hot pepper = chili pepper, ear of maize = corn, cucumber, potato,
        carrot, broccoli, leafy green = lettuce, garlic, onion, bell pepper, beans, roasted sweet potato =
        sweet potato, 1fada = ginger, 1fadb = pea pod""",
    "food": """
        hot dog, taco, burrito, chestnut, hamburger, slice of pizza, meat on bone = ham, poultry leg =
        chicken leg, rice cracker, rice ball, cooked rice = bowl of rice, curry and rice = curry, steaming
        bowl = noodle soup, spaghetti, bread, french fries, dango, oden, sushi, fried shrimp, fish cake with
        swirl design = fish cake, soft ice cream, shaved ice, ice cream, doughnut, cookie, chocolate bar,
        candy, lollipop, custard = pudding, shortcake, bento box, pot of food = stew, cooking = fried egg,
        popcorn, birthday cake, croissant, bacon, baguette bread = baguette, green salad, shallow pan of
        food = paella, stuffed flatbread = kebab, egg, peanuts, pancakes, dumpling, fortune cookie, takeout
        box, pie, pretzel, cut of meat = steak, sandwich, canned food = tin can, moon cake, bagel, cheese
        wedge = cheese, cupcake, falafel, waffle, butter, flatbread, tamale, fondue, honey pot""",
    "drink": """
        teacup without handle = cup of tea, sake bottle and cup = sake bottle, wine glass, cocktail glass =
        martini, tropical drink = cocktail, beer mug, baby bottle, bottle with popping cork = champagne
        bottle, tumbler glass = whiskey glass, glass of milk, cup with straw = soft drink, beverage box =
        juice box, mate drink, bubble tea, hot beverage = cup of coffee""",
    "household object": """
        fork and knife, fork and knife with plate = plate, spoon, chopsticks, bowl with spoon = bowl,
        amphora, hocho = kitchen knife, salt shaker, jar, teapot, candle, mantelpiece clock, alarm clock,
        door, seat = armchair, couch and lamp = couch, bed, toilet, shower, bathtub, chair, mirror, window,
        plunger, bucket, mouse trap, toothbrush, razor, lotion bottle, broom, basket, roll of paper = toilet
        paper, bar of soap = soap, sponge, diya lamp = oil lamp, izakaya lantern = paper lantern,
        wastebasket, frame with picture = picture frame, key, old key = key, lock = padlock,
        electric light bulb = light bulb, closed umbrella = umbrella, umbrella, wind chime, barber pole,
        bellhop bell, bell,
        electric plug, battery, electric torch = flashlight, shopping trolley = shopping cart, funeral urn =
        urn, coffin, hourglass, hourglass with flowing sand = hourglass, ladder, knot = rope, thermometer,
        1faad = folding fan, 1faae = hair pick, wrapped present = gift box, nazar amulet""",
    "tool": """
        wrench, hammer, nut and bolt = bolt, axe, pick = pickaxe, carpentry saw = saw, screwdriver, hook,
        magnet, gear, chains = chain, anchor, toolbox, brick, safety pin, sewing needle = needle, spool of
        thread, ball of yarn, fire extinguisher, black scissors = scissors, hammer and wrench, hammer and
        pick, scales = balance scale, alembic = distillation flask, crutch, probing cane = white cane, oil
        drum, ring buoy = life buoy, stopwatch, timer clock = kitchen timer, compass, fuel pump = gas pump""",
    "science instrument": """
        microscope, telescope, test tube, petri dish, satellite antenna = satellite dish, satellite,
        stethoscope, syringe, pill, adhesive bandage, dna double helix = double helix, left-pointing
        magnifying glass = magnifying glass""",
    "stationery": """
        pencil, lower left ballpoint pen = ballpoint pen, lower left fountain pen = fountain pen, lower left
        paintbrush = paintbrush, lower left crayon = crayon, paperclip, straight ruler = ruler, triangular
        ruler = set square, pushpin, clipboard, notebook, ledger, closed book = book, open book, green book,
        blue book, orange book, books = stack of books, bookmark, scroll, newspaper, rolled-up newspaper =
        newspaper, envelope, label = luggage tag, briefcase, artist palette = palette, card file box, file
        cabinet = filing cabinet, package = cardboard box, abacus, world map = map, spiral note pad =
        notepad, ballot box with ballot = ballot box, credit card, file folder = folder""",
    "device": """
        watch, keyboard, personal computer = laptop, desktop computer, printer, three button mouse =
        computer mouse, trackball, joystick, video game = game controller, floppy disk, optical disc =
        compact disc, dvd, minidisc, telephone receiver, black telephone = telephone, pager, fax machine,
        mobile phone, camera, camera with flash = camera, video camera, television, radio, videocassette,
        film projector, movie camera, studio microphone, microphone, headphone = headphones, public address
        loudspeaker = loudspeaker, cheering megaphone = megaphone, slot machine, level slider, robot face =
        robot""",
    "musical instrument": """
        saxophone, guitar, musical keyboard = piano keyboard, trumpet, violin, drum with drumsticks = drum,
        banjo, accordion, long drum = conga drum, postal horn, 1fa87 = maracas, 1fa88 = flute""",
    "clothing": """
        crown, womans hat = sun hat, eyeglasses = glasses, t-shirt, jeans, dress, kimono, bikini, womans
        clothes = blouse, purse, handbag, pouch, mans shoe = dress shoe, athletic shoe = running shoe,
        high-heeled shoe, womans sandal = sandal, womans boots = boot, dark sunglasses = sunglasses, school
        satchel = backpack, graduation cap, top hat, running shirt with sash = tank top, martial arts
        uniform = karate suit, sari, lab coat, goggles, hiking boot, flat shoe = ballet flat, safety vest,
        billed cap = baseball cap, scarf, gloves, coat, socks, ballet shoes, one-piece swimsuit = swimsuit,
        briefs, shorts, thong sandal = flip-flop, military helmet, helmet with white cross = rescue helmet,
        luggage = suitcase, shopping bags, ring, lipstick, prayer beads, ribbon = bow, military medal""",
    "sports gear": """
        soccer ball, baseball, softball, tennis racquet and ball = tennis racket, ski and ski boot = ski,
        sports medal = medal, trophy, american football, rugby football = rugby ball, cricket bat and ball =
        cricket bat, volleyball, field hockey stick and ball = field hockey stick, ice hockey stick and puck
        = ice hockey stick, table tennis paddle and ball = table tennis paddle, badminton racquet and
        shuttlecock = badminton racket, bow and arrow, diving mask, goal net, boxing glove, curling stone,
        lacrosse stick and ball = lacrosse stick, flying disc = frisbee, ice skate, roller skate,
        skateboard, sled, fishing pole and fish = fishing rod, basketball and hoop = basketball, billiards =
        billiard ball, bowling = bowling pin, direct hit = dartboard, parachute, boomerang""",
    "toy": """
        teddy bear, balloon, kite, yo-yo, jigsaw puzzle piece = puzzle piece, game die = die, nesting dolls
        = nesting doll, japanese dolls, pinata, magic wand, crystal ball, firecracker, party popper,
        confetti ball, carp streamer, jack-o-lantern, mirror ball = disco ball, snowman without snow =
        snowman, snowman, pistol = water gun, black chess pawn = chess pawn, performing arts = theater
        masks, clapper board = clapperboard, playground slide = slide, carousel horse, mahjong tile red
        dragon = mahjong tile""",
    "vehicle": """
        rocket, helicopter, steam locomotive, railway car, high-speed train, high-speed train with bullet
        nose = bullet train, train, metro = subway train, light rail, tram, tram car, bus, oncoming bus =
        bus, trolleybus, minibus, ambulance, fire engine = fire truck, police car, oncoming police car =
        police car, taxi, oncoming taxi = taxi, automobile = car, oncoming automobile = car, recreational
        vehicle = suv, delivery truck, articulated lorry = semi truck, tractor, monorail, mountain railway,
        suspension railway, mountain cableway = cable car, aerial tramway = gondola lift, ship, speedboat,
        bicycle, motor boat, small airplane, airplane, passenger ship = cruise ship, scooter = kick scooter,
        motor scooter, canoe, flying saucer, auto rickshaw, pickup truck, racing motorcycle = motorcycle,
        racing car = race car, manual wheelchair = wheelchair, motorized wheelchair, ferry, sailboat,
        wheel""",
    "building": """
        house building = house, house with garden = house, office building, hospital, bank, hotel, school,
        factory, japanese castle, european castle = castle, church, mosque, synagogue, hindu temple, hut,
        tent, circus tent, classical building, derelict house building = abandoned house, fountain, tokyo
        tower, statue of liberty, moyai = stone statue, ferris wheel, postbox, closed mailbox with raised
        flag = mailbox, shinto shrine, octagonal sign = stop sign, vertical traffic light = traffic light,
        headstone""",
    "object": """
        gem stone = gem, coin, money bag, bomb, dagger knife = dagger, crossed swords, shield, trident
        emblem = trident, bone, tooth, feather, wood = log, rock, nest with eggs = bird nest, empty nest =
        bird nest, ice cube, skull, brain, anatomical heart, lungs, mechanical arm, mechanical leg, 1fabd =
        wing, fallen leaf""",
}

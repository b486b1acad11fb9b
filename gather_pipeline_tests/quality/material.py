"""Notes of known worth for the tests of the scorer: by a careful writer, by the embedded model, and by nobody who cared."""

from __future__ import annotations

from gather_pipeline.domain.departments import Department

BRIEF = (
    "Skerra is an island of four hundred people, nine hours by ferry from the mainland, and in the autumn of 1974 its lighthouse is "
    "about to be switched off. Elias Varga, the last keeper, is sixty-one. Mara Lindqvist, an engineer of the harbour board, has six "
    "weeks to replace the lamp with an automatic one. In the oil store she finds a second log book with eleven names that appear in "
    "no register. One of them is her own mother's. Petra Holm runs the harbour office and keeps everybody's secrets. The ending is "
    "quiet: the lamp goes out, the island stays dark for eleven seconds, and then, one by one, the windows are lit."
)

STORY = Department.model_validate(
    {
        "slug": "story",
        "name": "Story Department",
        "description": "Plot, structure and theme of the film, from the first image to the last.",
        "coordinationSettings": {
            "aspects": ["opening scene", "central conflict", "turning point", "secret of the past", "climax", "final image", "theme"]
        },
    }
)
LOGISTICS = Department.model_validate(
    {
        "slug": "logistics",
        "name": "Logistics Department",
        "description": "How thirty people shoot five weeks on one island in autumn.",
        "coordinationSettings": {
            "aspects": ["shooting schedule", "ferry and transport", "weather cover", "stairs and safety", "boats at sea"]
        },
    }
)

GOOD_STORY = (
    "Open on the lamp room before dawn: Elias wipes salt off the lens with his sleeve, writes 'wind NW 6' in the log, then hears the "
    "ferry horn a day early. Through the glass we see Mara step onto the quay with two crates stencilled HARBOUR BOARD.",
    "The central conflict is the six-week deadline. Mara must fit the automatic lamp before the first winter storm; Elias delays her "
    "by hiding the fuse keys in the chapel, because he believes the drowned are still waiting for the light.",
    "Turning point, minute 48: Mara reads the pencilled log aloud at Petra's counter and stops at her mother's name. Petra closes the "
    "shutter and lowers her voice. From here Mara no longer wants to finish the lamp, she wants the missing pages.",
    "The secret of the past: in November 1944 Elias turned the beam away from the Norhavn rocks for nine minutes to guide one boat "
    "in, and the second boat, with his daughter aboard, struck. He wrote the true wind in the second log so that somebody would know.",
    "Climax on the stairs during the storm. The new lamp fails at step 80, Mara carries the old burner up by hand while Elias works "
    "the lens, and for the first time they say the eleven names together, one for each turn of the beam.",
    "Final image: the lamp goes out and the screen stays black for eleven seconds. Then Ines lights a candle in the schoolhouse, "
    "Petra answers from the harbour office, and window after window draws the outline of the island from the sea.",
    "Theme: a light kept for the dead leaves the living in the dark. Show it in objects, never in dialogue: the log Elias reads "
    "instead of letters, the unlit kitchen below the brilliant lamp, the red door that only opens outward.",
)
GOOD_LOGISTICS = (
    "Shoot the 112-step stair scenes in week one, while the crew is fresh. Limit the tower to eight people at a time, post a marshal "
    "on the landing at step 60, and keep the second rope line clear: there is no other exit.",
    "Book the Tuesday and Friday ferries for all freight. The generator (1.8 tonnes) has to travel on Tuesday 1 October, because the "
    "Friday boat has no ramp; allow two hours for unloading with the harbour tractor.",
    "Weather cover: hold the harbour office and the oil store as dressed interiors from day 3. If the wind passes 12 m/s at the 05:00 "
    "forecast, the first assistant director calls the move inside before breakfast.",
    "The boat that may be sunk goes out only on 22 and 23 October with a diver, a rescue boat and a doctor on the slipway. Record a "
    "safety rehearsal at half speed the day before and send the tape to the insurer.",
    "Schedule five weeks of six shooting days. Night exteriors fall in week four, when sunset is at 16:20, so that the crew wraps by "
    "23:00 and the last minibus reaches the hostel before the generator is shut down.",
)

# What SmolLM2-135M-Instruct wrote for a story department, in order and unselected, with the aspects it was asked for.
EMBEDDED_BRIEF = (
    "Elias, the keeper of a lighthouse on the island of Skerra, finds the diary of Mara, who drowned years ago. The village does not "
    "want the diary read. A slow, cold mystery about guilt, with an old lamp, a storm and a boat that never came home."
)
EMBEDDED_STORY = Department.model_validate(
    {
        "slug": "story",
        "name": "Story Department",
        "description": "Plot and structure of the film.",
        "coordinationSettings": {
            "aspects": [
                "opening scene",
                "what the hero wants",
                "the antagonist",
                "turning point in the middle",
                "the hero's guilt",
                "the ending",
                "the village and its people",
                "the diary as a clue",
                "events of the past",
                "final image",
            ]
        },
    }
)
EMBEDDED = (
    "In the opening scene, Elias, the lighthouse keeper, walks into a storm. He's got no choice but to find the diary of Mara, which "
    "tells him of her own murder by a stranger. This is where he's stuck forever.",
    "Elias wants to meet Mara, but he's afraid of her being killed by Mara's killer. He's worried that if he doesn't find Mara, he'll "
    "be lost forever among the island's sea monsters.",
    "The man who killed Mara's wife, a ship's captain, but then discovered her corpse under the wreckage of a boat, with the words "
    '"Drowning" emblazoned around its prow.',
    "Halfway through the film, Elias decides to leave for the next section without Mara's diary. He sets sail across the ocean but "
    "arrives back at the old lighthouse with the only clue. As he approaches the ship with Mara, the narrator realizes the entire "
    "story has changed, but he doesn't know what happened.",
    "Elias feels guilty because he lost someone close to him, but he's not alone. The diary contains information about Mara's murder. "
    "He soon realizes it has more to it than they ever could have imagined.",
    "In the last ten minutes, we learn that Mara's last words were \"No longer.\" That's not how it ended. It turns out that the diary "
    "was written by an innocent, but brutally murdered sailor.",
    "In the village, a small town's elite has hired a group of mercenaries to transport the only survivors of a shipwreck to the "
    "island of Skerra. They're going to find Mara, but they can't. But their friend, a local blacksmith, has heard a rumor, and he "
    "makes a plan to rescue the only survivor from the island.",
    'The first page of Mara\'s diary reads "Elsa". How could it not be? It seems to be all about a lone candle on the beach as if they '
    "are going to save the day, but what is really happening is that a huge shark has been eating their way through the last lighthouse.",
    "Three years earlier, Mara had been searching for her way through the fog-shrouded sea before being swept away by a massive wave "
    "that washed her away from the island's shores. She never made it to Skerra. They met on a ship that brought them to her home, "
    "where they were found alive in a small cave deep within the island's ruins.",
    "The final image shows a torn page of the diary before the lighthouse keeper, in the dark. Emily, the last letter, has just "
    "arrived at the station. Emily's face is frozen as she carries the silver-tipped torch.",
)

GIBBERISH = ("asdf qwer zxcv hjkl poiu wert", "xkcd blorf wug zibber flan qoop", "lkjh gfds mnbv trew yuio plok")
ONE_WORD = ("Lighthouse", "Storm", "Keeper", "Secret", "Ending")
STUFFED = (
    "Opening scene, central conflict, turning point, secret of the past, climax, final image, theme.",
    "Story: opening scene; central conflict; turning point; climax; theme; final image.",
    "Theme theme climax climax opening scene opening scene turning point.",
)
BOILERPLATE = (
    "This is very important for the story.",
    "The characters should be interesting and the audience should feel something.",
    "We need to make sure that the story is compelling and engaging for the viewers.",
    "It is essential to create a strong emotional connection and a powerful narrative journey.",
    "The theme should be explored in a meaningful and impactful way throughout the film.",
    "Every scene needs to be memorable and move the plot forward.",
)
FLUENT_BOILERPLATE = (
    "The opening scene should captivate viewers by establishing a rich tapestry of emotions and setting the stage for a compelling "
    "narrative journey.",
    "A central conflict that resonates deeply with audiences will elevate the storytelling and foster a profound sense of engagement.",
    "The turning point must be carefully crafted to maximise dramatic impact and leave a lasting impression on the audience.",
    "By weaving together themes of love, loss and redemption, the film can offer a nuanced exploration of the human condition.",
    "The climax should deliver an unforgettable crescendo that brings every thread together in a satisfying and powerful way.",
    "The final image should linger in the mind of the viewer long after the credits roll.",
)
OFF_TOPIC = (
    "Preheat the oven to 220 degrees and stretch the dough to 30 centimetres. Spread two spoons of tomato sauce, add mozzarella, and "
    "bake the pizza for nine minutes.",
    "The quarterly report shows that sales of garden tools rose by 14 percent in Bavaria. The board plans to open three stores in "
    "Munich before the summer.",
    "To reset the router, hold the button for ten seconds until the green light blinks, then enter the password printed on the label.",
    "Photosynthesis turns carbon dioxide and water into glucose. Chlorophyll absorbs red and blue light, which is why leaves look green.",
    "The striker scored twice in the second half and Liverpool won the match 3-1 in front of fifty thousand supporters.",
)
JAPANESE = (
    "灯台守のエリアスは嵐の夜にもう一冊の日誌を見つける。彼はそれを島の誰にも見せない。",
    "マーラは六週間で古いランプを自動式に取り替えなければならない。母の名前が日誌にある。",
)
GREEK = (
    "Ο Ηλίας ανάβει τον παλιό φάρο πριν την καταιγίδα. Η Μάρα βρίσκει το δεύτερο ημερολόγιο στην αποθήκη.",
    "Η Πέτρα κλείνει το γραφείο του λιμανιού και κρύβει τα κλειδιά.",
)

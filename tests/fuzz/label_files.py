"""Small label files of every format, to begin the search with."""

from __future__ import annotations

TEXTGRID = """File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 2.5\ntiers? <exists>\nsize = 2
item []:\nitem [1]:\nclass = "IntervalTier"\nname = "a ""b""\"\nxmin = 0\nxmax = 2.5\nintervals: size = 1
intervals [1]:
xmin = 0\nxmax = 1e-3\ntext = "wren"\nitem [2]:\nclass = "TextTier"\nname = "p"\nxmin = 0\nxmax = 2.5\npoints: size = 1
points [1]:\nnumber = 0.5\nmark = ""\n"""
SHORT = '"ooTextFile short"\n"TextGrid"\n0\n2\n<exists>\n1\n"IntervalTier"\n"a"\n0\n2\n1\n0\n1\n"wren"\n'
JAMS = """{"annotations": [{"namespace": "scaper", "data": [{"time": 0, "duration": 1.5, "value": {"label": "dog"}}]},
{"namespace": "tag_open", "data": {"time": [0], "duration": [0], "value": ["a"], "confidence": [1]}}],
"file_metadata": {"title": "t", "duration": 9.0}}"""
LABEL_STUDIO = """[{"id": 1, "data": {"audio": "/data/upload/3/0d93a737-a.wav", "site": "n"}, "annotations": [
{"result": [{"from_name": "s", "type": "labels", "value": {"start": 1.5, "end": 2, "labels": ["wren"]}},
{"from_name": "t", "type": "taxonomy", "value": {"taxonomy": [["a", "b"]]}}], "was_cancelled": false}],
"predictions": [{"result": [{}]}]}]"""
JSON_MIN = """[{"audio": "s3://b/a%20b.wav", "id": 7, "s": [{"start": 1, "end": 2, "labels": ["a"]}], "w": "rain",
"annotator": 1, "annotation_id": 3}]"""
AOEF = """{"data": {"collection_type": "annotation_set", "tags": [{"id": 0, "key": "k", "value": "wren"}],
"recordings": [{"uuid": "r", "path": "a.wav", "rights": "CC0"}],
"clips": [{"uuid": "c", "recording": "r", "start_time": 0, "end_time": 5}],
"sound_events": [{"uuid": "e", "recording": "r", "geometry": {"type": "BoundingBox", "coordinates": [1, 100, 2, 400]}}],
"sound_event_annotations": [{"sound_event": "e", "tags": [0]}], "clip_annotations": [{"clip": "c", "tags": [0]}]}}"""
EAF = """<?xml version="1.0"?><ANNOTATION_DOCUMENT><HEADER><MEDIA_DESCRIPTOR MEDIA_URL="file:///a%20b.wav"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="500"/><TIME_SLOT TIME_SLOT_ID="t2" TIME_VALUE="900"/></TIME_ORDER>
<TIER TIER_ID="a"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2">
<ANNOTATION_VALUE>x &amp; y</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION><ANNOTATION><REF_ANNOTATION
ANNOTATION_ID="a2" ANNOTATION_REF="a1"/></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"""
JSON_LINES = """{"file_name": "train/a.wav", "label": "dog", "site": "marsh", "n": 3, "ok": true, "start":1, "end": 2.5}
{"file_name": "b.wav", "label": ["a, b", "rain"], "start": [0.5, 1], "end": [1, 2], "x": {"y": null}}"""
AVIANZ = """[{"Operator": "A", "Reviewer": "", "Duration": 60.0}, [1.0, 19.5, 1200, 2500, [{"species":
"Kiwi (Little spotted)", "certainty": 100, "filter": "M", "calltype": "f1"}]], [35, 45, 0, 0, [{"species": "Don't Know",
"certainty": 0}]]]"""
VIA = """{"project": {"pid": "p", "vid_list": ["1"]}, "attribute": {"1": {"aname": "s", "type": 4,
"options": {"0": "wren"}}, "2": {"aname": "c", "type": 2, "options": {"0": "a", "1": "b"}}}, "file": {"1": {"fid": "1",
"fname": "a.wav", "src": ""}}, "metadata": {"1_a": {"vid": "1", "z": [0.5, 1.25], "xy": [], "av": {"1": "0",
"2": "0,1"}}}, "view": {"1": {"fid_list": ["1"]}}}"""
VIA_TABLES = tuple(
    f"# Exported using VGG Image Annotator\n{lines}"
    for lines in (
        '# ATTRIBUTE = {"1": {"aname": "s", "options": {"0": "wren"}}}\n'
        "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
        '"1_a","[""a.wav""]",0,"[0.5,1.25]","[]","{""1"":""0""}"\n',
        "# CSV_HEADER = metadata_id,file_list,temporal_segment_start,temporal_segment_end,metadata\n"
        '"1_a","[""a.wav""]",0.5,1.25,"{""s"":""wren""}"\n',
    )
)
AUDINO = """[{"filename": "f0.wav", "original_filename": "a.wav", "segmentations": [{"start_time": 0.5,
"end_time": 1.25, "transcription": "hi", "annotations": {"s": {"id": 1, "values": {"id": 1, "value": "wren"}},
"m": {"id": 2, "values": [{"id": 2, "value": "x"}]}}}]}]"""
LAB = "0 5000000 sil -12.5 word\n5000000 12500000 wren\n"
MLF = f'#!MLF!#\n"*/a.lab"\n{LAB}///\n0 5000000 other\n.\n"b.lab"\n0 5000000 owl\n.\n'
RTTM = (
    ";; x\nSPKR-INFO a 1 <NA> <NA> <NA> unknown s1 <NA>\nSPEAKER a 1 0.5 0.75 <NA> <NA> s1 <NA> <NA>\n"
    "NON-SPEECH a 1 2 1 <NA> noise <NA> <NA>\n"
)
SVL = """<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE sonic-visualiser>\n<sv>\n  <data>
<model id="1" name="" sampleRate="8000" type="sparse" dimensions="3" resolution="1" dataset="0" subtype="region"/>
<dataset id="0" dimensions="3"><point frame="4000" value="1" duration="6000" label="wren &amp; co"/>
<point frame="8000" value="1" duration="1" label=""/></dataset></data></sv>\n"""

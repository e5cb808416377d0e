-- Schema 4: the readings of a device in the order of their time. Sorted in behind the messages as `message_by_device` is,
-- up to `progress.indexed`; readers scan the rest.
CREATE TABLE reading_by_time (
    device INTEGER NOT NULL,
    time INTEGER NOT NULL,
    message INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (device, time, message, place)
) STRICT, WITHOUT ROWID;
INSERT INTO reading_by_time
    SELECT m.device, r.time, r.message, r.place FROM message m CROSS JOIN reading r ON r.message = m.id
    WHERE m.id <= (SELECT indexed FROM progress) AND m.device IS NOT NULL ORDER BY 1, 2, 3, 4;

-- Each time that this store was brought back from a backup: what was taken after `backed_up_at` and before `restored_at`
-- is not here.
CREATE TABLE epoch (
    restored_at INTEGER PRIMARY KEY,
    backed_up_at INTEGER NOT NULL
) STRICT;

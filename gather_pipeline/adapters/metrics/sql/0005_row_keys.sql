-- A row's key alone makes ingestion happen once, so no file's position is kept any more.

DROP TABLE ingested_file;
COMMENT ON TABLE generic IS 'Rows of every other kind; kind malformed, in databases of release 1.0.0, holds lines that are not measurements';

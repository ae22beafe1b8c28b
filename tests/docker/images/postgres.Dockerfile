ARG BASE_IMAGE
FROM ${BASE_IMAGE}
USER postgres
CMD ["sh", "/usr/local/bin/postgres.sh"]

# wxtoken, an example service, and NATS as docker-compose.yml runs them. Nothing here needs BuildKit.
#
# The tags are exact. To pin by digest too, which is surer still, append what `docker buildx imagetools inspect TAG` shows:
# golang:1.26.8-alpine@sha256:…

FROM golang:1.26.8-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN ["go", "mod", "download"]
COPY . .
ENV CGO_ENABLED=0
# The time zones are in the binary, for a TZ that somebody sets.
RUN ["go", "build", "-trimpath", "-buildvcs=false", "-tags", "timetzdata", "-ldflags", "-s -w", "-o", "/out/", "./cmd/wxtoken", "./examples/service"]
WORKDIR /out/empty

# JetStream's folder must belong to the user, as a volume takes over whose it is in the image.
FROM nats:2.15.2-alpine AS nats
COPY --from=build --chown=65532:65532 /out/empty /data
USER 65532:65532
ENTRYPOINT ["nats-server"]

FROM scratch AS wxtoken
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/wxtoken /
USER 65532:65532
ENTRYPOINT ["/wxtoken"]
CMD ["publisher"]

FROM wxtoken AS example
COPY --from=build /out/service /
ENTRYPOINT ["/service"]
CMD []

# The last stage is what `docker build .` makes.
FROM wxtoken

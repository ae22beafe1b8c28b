# A softmax regression by gradient descent, written as an ONNX model with base R alone.
# Usage: Rscript train.R TRAIN.csv VALIDATION.csv LEARNING_RATE MODEL.onnx

arguments <- commandArgs(trailingOnly = TRUE)
rows <- read.csv(arguments[1], check.names = FALSE)
held <- read.csv(arguments[2], check.names = FALSE)
rate <- as.numeric(arguments[3])

softmax <- function(scores) {
  raised <- exp(scores - apply(scores, 1, max))
  raised / rowSums(raised)
}

# The first column is the label, from 0; the others are the features.
x <- as.matrix(rows[, -1])
classes <- max(rows$label) + 1
hot <- diag(classes)[rows$label + 1, ]
weights <- matrix(0, ncol(x), classes)
bias <- numeric(classes)
loss <- function() {
  probabilities <- softmax(sweep(as.matrix(held[, -1]) %*% weights, 2, bias, `+`))
  -mean(log(probabilities[cbind(seq_len(nrow(held)), held$label + 1)]))
}
best <- list(loss = Inf)
for (step in 1:2000) {
  errors <- (softmax(sweep(x %*% weights, 2, bias, `+`)) - hot) / nrow(x)
  weights <- weights - rate * t(x) %*% errors
  bias <- bias - rate * colSums(errors)
  now <- loss()
  if (now < best$loss - 1e-6) {
    best <- list(loss = now, step = step, weights = weights, bias = bias)
  } else if (step - best$step >= 20) {
    break
  }
}
cat("validation loss", best$loss, "after", best$step, "steps\n")

# ONNX is a file of protocol buffers. A field is its number and kind, then a number or the length and the bytes.
varint <- function(number) {
  bytes <- integer()
  while (number >= 128) {
    bytes <- c(bytes, number %% 128 + 128)
    number <- number %/% 128
  }
  as.raw(c(bytes, number))
}
number <- function(field, value) c(varint(field * 8), varint(value))
bytes <- function(field, content) c(varint(field * 8 + 2), varint(length(content)), content)
text <- function(field, value) bytes(field, charToRaw(value))

DOUBLE <- 11
tensor <- function(name, values, shape) {
  dims <- unlist(lapply(shape, function(size) number(1, size)))
  data <- writeBin(as.double(values), raw(), endian = "little")
  c(dims, number(2, DOUBLE), text(8, name), bytes(9, data))
}
rows_of <- function(name, width) {
  shape <- c(bytes(1, text(2, "n")), bytes(1, number(1, width)))
  c(text(1, name), bytes(2, bytes(1, c(number(1, DOUBLE), bytes(2, shape)))))
}
node <- function(kind, inputs, output) {
  c(unlist(lapply(inputs, function(name) text(1, name))), text(2, output), text(4, kind))
}
graph <- c(
  bytes(1, node("MatMul", c("rows", "weights"), "products")),
  bytes(1, node("Add", c("products", "bias"), "scores")),
  bytes(1, node("Softmax", "scores", "probabilities")),
  text(2, "softmax_regression"),
  bytes(5, tensor("weights", t(best$weights), dim(best$weights))),
  bytes(5, tensor("bias", best$bias, classes)),
  bytes(11, rows_of("rows", ncol(x))),
  bytes(12, rows_of("probabilities", classes))
)
IR_VERSION <- 9
OPERATORS <- 17
writeBin(c(number(1, IR_VERSION), bytes(7, graph), bytes(8, number(2, OPERATORS))), arguments[4])
